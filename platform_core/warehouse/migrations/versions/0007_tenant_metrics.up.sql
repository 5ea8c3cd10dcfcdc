-- A tenant's own metrics. A change is a new version and a removal one without a definition, so the history is the table.
-- Only read by takt_api: its members are BI logins, which define nothing.
create table core.tenant_metric (
    tenant_id uuid not null references core.tenants,
    name text not null check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
    version integer not null check (version > 0),
    definition jsonb,
    author text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, name, version)
);
alter table core.tenant_metric enable row level security;
create policy tenant on core.tenant_metric to takt_api using (tenant_id = (select core.current_tenant()));
grant select on core.tenant_metric to takt_api;
