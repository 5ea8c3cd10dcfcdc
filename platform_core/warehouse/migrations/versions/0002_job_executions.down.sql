revoke select on public.takt_revision from takt_api;
drop table bi.etl_job_executions;
