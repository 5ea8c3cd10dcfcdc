-- What a load read and when it came, so that the same file once more is known for what it is.
alter table core.load add column file_digest text, add column arrived_at timestamptz;
create index load_file_digest_idx on core.load (tenant_id, file_digest) where file_digest is not null;
