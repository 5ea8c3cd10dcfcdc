-- Runs of the orchestrator as the warehouse remembers them; a sensor writes the failed ones, takt status shows them.
-- A run is of the installation and not of a tenant: no grant to takt_api.
create table bi.etl_job_executions (
    run_id text primary key,
    job_name text not null,
    status text not null check (status in ('running', 'completed', 'failed', 'cancelled')),
    first_date date,
    last_date date,
    error_message text,
    started_at timestamptz,
    ended_at timestamptz,
    metadata jsonb not null default '{}',
    recorded_at timestamptz not null default clock_timestamp()
);
create index on bi.etl_job_executions (ended_at desc);

-- /ready of the API tells which revision it finds.
grant select on public.takt_revision to takt_api;
