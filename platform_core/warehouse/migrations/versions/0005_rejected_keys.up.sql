-- Null where the row does not show its key or its version.
alter table core.rejected_record add column source_pk text;
alter table core.rejected_record add column source_version bigint;
alter table core.rejected_record drop constraint rejected_record_status_check;
alter table core.rejected_record add constraint rejected_record_status_check
    check (status in ('open', 'retried', 'dismissed', 'superseded'));

-- Every load that ends asks whether a record of its kind is waiting.
create index rejected_record_key_idx on core.rejected_record (tenant_id, record_type, source_system, source_pk)
    where status = 'open' and source_pk is not null;
