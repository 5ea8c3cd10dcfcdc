-- Who may do what. No grant to takt_api: its members are BI logins, and what a tenant wrote runs in it. Row security all the
-- same, so that a grant of tomorrow opens a tenant's own rows and no others. A reference carries the tenant, so that a
-- row cannot point to another tenant's.

create table core.users (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    email text not null check (email = lower(email)),
    username text not null check (username = lower(username)),
    display_name text not null,
    password_hash text,
    roles text[] not null default '{}'
        check (roles <@ array['admin', 'manager', 'analyst', 'operator', 'viewer', 'approver']),
    permissions text[] not null default '{}',
    line_access text[],
    locale text not null default 'ko' check (locale in ('ko', 'en')),
    status text not null default 'active' check (status in ('active', 'inactive', 'locked', 'invited')),
    failed_logins integer not null default 0,
    locked_until timestamptz,
    token_epoch bigint not null default 1,
    metadata jsonb not null default '{}',
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (tenant_id, email),
    unique (tenant_id, username),
    unique (tenant_id, id)
);
comment on column core.users.line_access is 'Null means every line, {} none.';
comment on column core.users.token_epoch is 'Access tokens of a lower epoch are over.';
comment on column core.users.status is 'locked is an administrator''s doing; failed logins only set locked_until.';

-- For machines. A key without an owner is a service account: its scopes are all it may do.
create table core.api_key (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    owner_id uuid,
    name text not null,
    prefix text not null unique,
    secret_hash bytea not null,
    scopes text[] not null,
    line_access text[],
    created_by uuid,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    foreign key (tenant_id, owner_id) references core.users (tenant_id, id),
    foreign key (tenant_id, created_by) references core.users (tenant_id, id)
);
create index on core.api_key (tenant_id, created_at desc);

-- Without a secret a client is public (a browser, a desktop program) and proves itself by PKCE.
create table core.oauth_client (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    client_id text not null unique,
    name text not null,
    secret_hash bytea,
    redirect_uris text[] not null default '{}',
    scopes text[] not null default '{}',
    line_access text[],
    token_epoch bigint not null default 1,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    unique (tenant_id, id)
);
create index on core.oauth_client (tenant_id, created_at desc);

create table core.authorization_code (
    code_hash bytea primary key,
    tenant_id uuid not null references core.tenants,
    client_id uuid not null,
    user_id uuid not null,
    redirect_uri text not null,
    code_challenge text not null,
    scope text[],
    family uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    foreign key (tenant_id, client_id) references core.oauth_client (tenant_id, id) on delete cascade,
    foreign key (tenant_id, user_id) references core.users (tenant_id, id) on delete cascade
);
create index on core.authorization_code (expires_at);

-- A family begins at a login and holds every token that came of it by rotation.
create table core.refresh_token (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    user_id uuid not null,
    client_id uuid,
    family uuid not null,
    family_started_at timestamptz not null,
    rotated_from uuid references core.refresh_token on delete set null,
    token_hash bytea not null unique,
    scope text[],
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    foreign key (tenant_id, user_id) references core.users (tenant_id, id) on delete cascade,
    foreign key (tenant_id, client_id) references core.oauth_client (tenant_id, id) on delete cascade
);
create index on core.refresh_token (family);
create index on core.refresh_token (tenant_id, user_id) where revoked_at is null;
create index on core.refresh_token (rotated_from);
create index on core.refresh_token (expires_at);

-- Links that are sent by mail: invitations and password resets.
create table core.mailed_link (
    token_hash bytea primary key,
    tenant_id uuid not null references core.tenants,
    user_id uuid not null,
    purpose text not null check (purpose in ('invitation', 'password_reset')),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    foreign key (tenant_id, user_id) references core.users (tenant_id, id) on delete cascade
);
create index on core.mailed_link (tenant_id, user_id);
create index on core.mailed_link (expires_at);

-- Sign-in elsewhere (OpenID Connect). The client's secret lies in the tenant's folder and not here.
create table core.identity_provider (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references core.tenants,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    display_name text not null,
    issuer text not null,
    client_id text not null,
    scopes text[] not null default '{openid,email,profile}',
    groups_claim text not null default 'groups',
    group_roles jsonb not null default '{}',
    default_roles text[] not null default '{}'
        check (default_roles <@ array['admin', 'manager', 'analyst', 'operator', 'viewer', 'approver']),
    link_by_email boolean not null default false,
    is_enabled boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (tenant_id, name),
    unique (tenant_id, id)
);

create table core.user_identity (
    tenant_id uuid not null references core.tenants,
    provider_id uuid not null,
    subject text not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    last_login_at timestamptz,
    primary key (tenant_id, provider_id, subject),
    foreign key (tenant_id, provider_id) references core.identity_provider (tenant_id, id) on delete cascade,
    foreign key (tenant_id, user_id) references core.users (tenant_id, id) on delete cascade
);
create index on core.user_identity (tenant_id, user_id);

-- A sign-in that is under way at a provider.
create table core.oidc_login (
    state_hash bytea primary key,
    tenant_id uuid not null references core.tenants,
    provider_id uuid not null,
    nonce text not null,
    code_verifier text not null,
    redirect_uri text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    foreign key (tenant_id, provider_id) references core.identity_provider (tenant_id, id) on delete cascade
);
create index on core.oidc_login (expires_at);

do $$
declare
    t text;
begin
    foreach t in array array[
        'core.users', 'core.api_key', 'core.oauth_client', 'core.authorization_code', 'core.refresh_token',
        'core.mailed_link', 'core.identity_provider', 'core.user_identity', 'core.oidc_login'
    ] loop
        execute format('alter table %s enable row level security', t);
        execute format(
            'create policy tenant on %s to takt_api using (tenant_id = (select core.current_tenant()))', t);
    end loop;
end
$$;
