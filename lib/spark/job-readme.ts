/** README.md of a job that is kept: how it is submitted by whatever a cluster is reached with. */
import { hasPatterns, type SparkSettings } from './settings.ts';

export function jobReadme({ version, inputs, output, overwrite, geo, rules }: SparkSettings): string {
  return `# A job of etl-stream for Apache Spark

Made by etl-stream ${version}. It reads

${inputs.map((input) => `- ${code(input)}`).join('\n')}

counts each log once, and publishes the totals at ${code(output)}${overwrite ? ', which it replaces' : ''}. Regions are those of ${geo.type}, built ${geo.buildDate.slice(0, 10)}.

| file | what it is |
|---|---|
| \`job.py\` | what is submitted |
| \`etl_stream_spark.zip\` | its modules, for \`--py-files\` |
| \`settings.json\` | options of the job |
| \`ranges/\` | the IP database, as Parquet; it stands beside \`settings.json\` |

## What the cluster needs

Spark 4.0 or later; on the driver and all workers Python 3.10 or later with pandas, numpy and pyarrow. It needs no network but for its inputs and output, and no jar but those that their
URLs need (\`s3a://\`: hadoop-aws, of the version of the cluster's Hadoop).
${hasPatterns({ rules }) ? `
Rules of this job have patterns, which take Java deep stacks on long fields: give \`--conf spark.driver.defaultJavaOptions=-Xss32m --conf spark.executor.defaultJavaOptions=-Xss32m\`.
` : ''}
## Arguments

\`\`\`
job.py SETTINGS [--input URL]... [--output URL] [--overwrite]
\`\`\`

\`SETTINGS\` is the path or URL of \`settings.json\`, with \`ranges/\` beside it. \`--input\` (again for more) and \`--output\` say other places than the settings do, \`--overwrite\` that an output which
is there, and was written by etl-stream, is replaced. All other options are those of \`settings.json\`: to change them, write the job anew.

The job ends with exit code 0 when the output is published. Else a line of its standard output, \`etl-stream: {"event":"error", ...}\`, says why; one of a job that is done has the summary.

## spark-submit

With a driver on this machine, the files may stay where they are:

\`\`\`sh
spark-submit --master yarn --py-files etl_stream_spark.zip job.py settings.json
\`\`\`

In the cluster, put them where it reads from first (here and below, \`s3a://bucket/job\` is that place):

\`\`\`sh
spark-submit --master yarn --deploy-mode cluster --py-files s3a://bucket/job/etl_stream_spark.zip \\
  s3a://bucket/job/job.py s3a://bucket/job/settings.json
\`\`\`

## Amazon EMR

URLs of S3 begin with \`s3://\` there, also those of inputs and output.

\`\`\`sh
aws emr add-steps --cluster-id j-XXXXXXXX --steps 'Type=Spark,Name=etl-stream,ActionOnFailure=CONTINUE,Args=[--deploy-mode,cluster,--py-files,s3://bucket/job/etl_stream_spark.zip,s3://bucket/job/job.py,s3://bucket/job/settings.json]'
\`\`\`

EMR Serverless:

\`\`\`sh
aws emr-serverless start-job-run --application-id XXXX --execution-role-arn ROLE --job-driver '{"sparkSubmit": {"entryPoint": "s3://bucket/job/job.py", "entryPointArguments": ["s3://bucket/job/settings.json"], "sparkSubmitParameters": "--py-files s3://bucket/job/etl_stream_spark.zip"}}'
\`\`\`

## Google Dataproc

\`\`\`sh
gcloud dataproc jobs submit pyspark gs://bucket/job/job.py --cluster CLUSTER --region REGION --py-files gs://bucket/job/etl_stream_spark.zip -- gs://bucket/job/settings.json
\`\`\`

## Databricks

A task of the type "Python script" on a job cluster, with \`etl_stream_spark.zip\` as a library of it, or as \`spark_python_task\` of the Jobs API, with the runtime 17 or later (Spark 4):

\`\`\`json
{ "spark_python_task": { "python_file": "dbfs:/job/job.py", "parameters": ["dbfs:/job/settings.json"] } }
\`\`\`

\`job.py\` looks for \`etl_stream_spark.zip\` beside itself where it is not on Python's path.

## Apache Livy

\`\`\`sh
curl -X POST -H 'Content-Type: application/json' http://livy:8998/batches -d '{"file": "s3a://bucket/job/job.py", "pyFiles": ["s3a://bucket/job/etl_stream_spark.zip"], "args": ["s3a://bucket/job/settings.json"], "name": "etl-stream"}'
\`\`\`
`;
}

/** Text from outside, as code of Markdown whatever stands in it. */
function code(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `\`${line}\`` : `${fence} ${line} ${fence}`;
}
