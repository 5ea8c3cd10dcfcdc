-- A delimited line cannot be read again without the names of its columns; null: the original is JSON.
alter table core.rejected_record add column columns text[];

-- A file that is loaded again brings its bad rows again; this finds the older entry.
create index rejected_record_original_idx on core.rejected_record (tenant_id, md5(original)) where status = 'open';
