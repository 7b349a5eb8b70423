/** Addresses, checks and publications, in one Spark session (session.py). */
import './address.ts';
import './checks.ts';
import './publish.ts';
