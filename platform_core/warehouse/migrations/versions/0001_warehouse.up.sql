create schema core;
create schema staging;
create schema bi;
create schema audit;
create schema scratch;
grant usage on schema core, staging, bi, audit to takt_api;

-- Tenants and who sees what ------------------------------------------------------------------------------------------

create table core.tenants (
    id uuid primary key default gen_random_uuid(),
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    display_name text not null,
    settings jsonb not null default '{}',
    subscription_plan text not null default 'standard'
        check (subscription_plan in ('free', 'standard', 'premium', 'enterprise')),
    max_users integer not null default 10,
    max_workflows integer not null default 50,
    max_judgments_per_month integer not null default 10000,
    status text not null default 'active' check (status in ('active', 'suspended', 'deleted')),
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table core.bi_login (
    login name primary key,
    tenant_id uuid not null references core.tenants,
    lines text[],
    created_at timestamptz not null default now()
);

-- A login can change its settings but not its session_user, so a row of core.bi_login wins over the setting. The setting
-- counts only for the API, which sets it after it has checked who asks, and for the owner: a BI login whose row is gone
-- sees nothing, whatever it sets.
create function core.current_tenant() returns uuid
language sql stable security definer parallel safe set search_path = pg_catalog as $$
    select case
        when exists (select from core.bi_login where login = session_user)
            then (select tenant_id from core.bi_login where login = session_user)
        when session_user = 'takt_api' or pg_has_role(session_user, 'takt_owner', 'member')
            then nullif(current_setting('takt.tenant', true), '')::uuid
    end
$$;

-- Null means every line. A session without a tenant sees no row anyway.
create function core.visible_lines() returns text[]
language sql stable security definer parallel safe set search_path = pg_catalog as $$
    select case
        when exists (select from core.bi_login where login = session_user)
            then (select lines from core.bi_login where login = session_user)
        else nullif(current_setting('takt.lines', true), '')::text[]
    end
$$;

-- Loads and records --------------------------------------------------------------------------------------------------

create table core.load (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    source_system text not null,
    record_type text not null,
    source_name text not null,
    mapping_name text not null,
    mapping_digest text not null,
    status text not null default 'running' check (status in ('running', 'succeeded', 'failed')),
    error text,
    retry_of uuid references core.load,
    rows_read bigint not null default 0,
    landed bigint not null default 0,
    corrected bigint not null default 0,
    unchanged bigint not null default 0,
    outdated bigint not null default 0,
    late_sealed bigint not null default 0,
    rejected bigint not null default 0,
    warnings text[] not null default '{}',
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    check (rows_read = landed + corrected + unchanged + outdated + late_sealed + rejected)
);
create index on core.load (tenant_id, started_at desc);

-- Every version of every dated record. One row is one version; the current one carries is_current.
create table core.erp_mes_data (
    tenant_id uuid not null,
    source_system text not null,
    record_type text not null,
    source_pk text not null,
    source_version bigint not null,
    business_date date not null,
    line_code text,
    raw_data jsonb not null,
    content_hash bytea not null,
    received_at timestamptz not null,
    load_id uuid not null,
    source_row bigint not null,
    is_current boolean not null
) partition by range (business_date);
create index erp_mes_data_date_idx on core.erp_mes_data (record_type, business_date, tenant_id) where is_current;
create index erp_mes_data_identity_idx on core.erp_mes_data (tenant_id, record_type, source_system, source_pk);

-- No unique index can span date partitions, so identity lives here and also knows the current version's date.
create table core.record_identity (
    tenant_id uuid not null,
    source_system text not null,
    record_type text not null,
    source_pk text not null,
    source_version bigint not null,
    received_at timestamptz not null,
    source_row bigint not null,
    business_date date not null,
    content_hash bytea not null,
    primary key (tenant_id, record_type, source_system, source_pk)
) partition by hash (tenant_id, record_type, source_system, source_pk);
create table core.record_identity_0 partition of core.record_identity for values with (modulus 4, remainder 0);
create table core.record_identity_1 partition of core.record_identity for values with (modulus 4, remainder 1);
create table core.record_identity_2 partition of core.record_identity for values with (modulus 4, remainder 2);
create table core.record_identity_3 partition of core.record_identity for values with (modulus 4, remainder 3);

-- Master data (lines, products, equipment, shifts, cycle times, KPIs): the current version only.
create table core.master_record (
    tenant_id uuid not null references core.tenants,
    record_type text not null,
    source_pk text not null,
    source_system text not null,
    source_version bigint not null,
    raw_data jsonb not null,
    content_hash bytea not null,
    received_at timestamptz not null,
    load_id uuid not null references core.load,
    source_row bigint not null,
    primary key (tenant_id, record_type, source_pk)
);

create table core.rejected_record (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    load_id uuid not null references core.load,
    source_system text not null,
    record_type text not null,
    mapping_name text not null,
    source_name text not null,
    source_row bigint not null,
    reason_code text not null,
    field text,
    value text,
    message text not null,
    original text not null,
    status text not null default 'open' check (status in ('open', 'retried', 'dismissed')),
    resolved_at timestamptz,
    resolved_load_id uuid references core.load,
    created_at timestamptz not null default clock_timestamp()
);
create index on core.rejected_record (tenant_id, status, created_at desc);
create index on core.rejected_record (load_id);

-- Where an incremental source (REST cursor, SQL watermark) goes on.
create table core.source_watermark (
    tenant_id uuid not null references core.tenants,
    source_name text not null,
    watermark text not null,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, source_name)
);

-- Raw and staging partitions that were moved to an archive; their dates are sealed.
create table core.archived_partition (
    first_date date not null,
    last_date date not null,
    archive_file text not null,
    archived_at timestamptz not null default now(),
    attached_at timestamptz,
    primary key (first_date, archive_file),
    check (first_date <= last_date)
);

-- State of the models ------------------------------------------------------------------------------------------------

-- For a model without dates, date is 1970-01-01.
create table core.partition_state (
    tenant_id uuid not null references core.tenants,
    model text not null,
    date date not null,
    state text not null check (state in ('published', 'failed')),
    version bigint not null default 0,
    rows bigint not null default 0,
    reason text,
    code_version text,
    run_id text,
    published_at timestamptz,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model, date)
);
create index on core.partition_state (model, date);

-- (tenant, model, date) to be made anew. Publishing a model clears its own mark up to the generation that it read
-- from, and marks its downstream models, in one transaction. due_at keeps an open event's date from spinning.
create sequence core.dirty_generation;
create table core.dirty_partition (
    tenant_id uuid not null references core.tenants,
    model text not null,
    date date not null,
    reason text not null,
    generation bigint not null default nextval('core.dirty_generation'),
    marked_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model, date)
);
create index on core.dirty_partition (date, due_at);

-- What ddl.py last applied of each model, so that a change of its contract or SQL is seen.
create table core.applied_model (
    relation text primary key,
    kind text not null,
    position integer not null,
    code_version text not null,
    definition text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- Data quality -------------------------------------------------------------------------------------------------------

create table bi.data_quality_rules (
    id uuid primary key default gen_random_uuid(),
    table_name text not null,
    name text not null,
    rule_type text not null
        check (rule_type in ('not_null', 'range', 'uniqueness', 'referential_integrity', 'pattern', 'custom_sql')),
    rule_config jsonb not null,
    severity text not null check (severity in ('info', 'warning', 'error', 'critical')),
    is_enabled boolean not null default true,
    created_at timestamptz not null default now(),
    unique (table_name, name)
);

create table bi.data_quality_checks (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    rule_id uuid references bi.data_quality_rules,
    model text not null,
    check_name text not null,
    date date,
    severity text not null check (severity in ('info', 'warning', 'error', 'critical')),
    status text not null check (status in ('pass', 'fail', 'warning')),
    failed_row_count bigint not null default 0,
    total_row_count bigint not null default 0,
    sample_failed_rows jsonb not null default '[]',
    run_id text,
    metadata jsonb not null default '{}',
    executed_at timestamptz not null default clock_timestamp()
);
create index on bi.data_quality_checks (tenant_id, executed_at desc);
create index on bi.data_quality_checks (model, check_name, executed_at desc);

-- Row security: the owner's tables are bound for everyone but the owner ----------------------------------------------

do $$
declare
    t text;
begin
    foreach t in array array[
        'core.load', 'core.erp_mes_data', 'core.record_identity', 'core.master_record', 'core.rejected_record',
        'core.source_watermark', 'core.partition_state', 'core.dirty_partition', 'bi.data_quality_checks'
    ] loop
        execute format('alter table %s enable row level security', t);
        execute format(
            'create policy tenant on %s to takt_api using (tenant_id = (select core.current_tenant()))', t);
        execute format('grant select on %s to takt_api', t);
    end loop;
    -- A policy of the parent does not bind who names the partition; without a policy and a grant it shows nothing.
    foreach t in array array[
        'core.record_identity_0', 'core.record_identity_1', 'core.record_identity_2', 'core.record_identity_3'
    ] loop
        execute format('alter table %s enable row level security', t);
    end loop;
end
$$;
alter table core.tenants enable row level security;
create policy tenant on core.tenants to takt_api using (id = (select core.current_tenant()));
grant select on core.tenants to takt_api;
grant select on bi.data_quality_rules to takt_api;

-- Sessions limited to lines: rows without a line are hidden from them, except inventory and orders, which have none.
-- What may quote a whole source row is hidden too, as it does not say whose line it is.
create policy line on core.erp_mes_data as restrictive to takt_api using (
    (select core.visible_lines()) is null
    or line_code = any ((select core.visible_lines())::text[])
    or (line_code is null and record_type in ('inventory', 'order'))
);
create policy line on core.master_record as restrictive to takt_api using (
    (select core.visible_lines()) is null
    or coalesce(raw_data ->> 'line_code' = any ((select core.visible_lines())::text[]), true)
);
create policy line on core.rejected_record as restrictive to takt_api using ((select core.visible_lines()) is null);
create policy line on core.record_identity as restrictive to takt_api using ((select core.visible_lines()) is null);
create policy line on bi.data_quality_checks as restrictive to takt_api using (
    (select core.visible_lines()) is null or sample_failed_rows = '[]'
);

revoke all on function core.current_tenant(), core.visible_lines() from public;
grant execute on function core.current_tenant(), core.visible_lines() to takt_api;
alter default privileges revoke execute on functions from public;
