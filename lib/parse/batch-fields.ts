/** Columns of a batch with the four fields of a row, by what they are. */
import {
  BATCH_ID_LEN, BATCH_ID_PTR, BATCH_IP_LEN, BATCH_IP_PTR, BATCH_USER_LEN, BATCH_USER_PTR, BATCH_VALUE_LEN, BATCH_VALUE_PTR,
} from '../kernels/layout.ts';

/** Of each, the column of its address and that of its length. */
export const BATCH_FIELDS = {
  id: [BATCH_ID_PTR, BATCH_ID_LEN], user: [BATCH_USER_PTR, BATCH_USER_LEN], ip: [BATCH_IP_PTR, BATCH_IP_LEN], value: [BATCH_VALUE_PTR, BATCH_VALUE_LEN],
} as const;

export type FieldRole = keyof typeof BATCH_FIELDS;
export const fieldRoles = Object.keys(BATCH_FIELDS) as readonly FieldRole[];
