drop index core.rejected_record_key_idx;
update core.rejected_record set status = 'retried' where status = 'superseded';
alter table core.rejected_record drop constraint rejected_record_status_check;
alter table core.rejected_record add constraint rejected_record_status_check
    check (status in ('open', 'retried', 'dismissed'));
alter table core.rejected_record drop column source_version;
alter table core.rejected_record drop column source_pk;
