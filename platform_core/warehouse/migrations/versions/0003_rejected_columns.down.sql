drop index core.rejected_record_original_idx;
alter table core.rejected_record drop column columns;
