drop index core.load_file_digest_idx;
alter table core.load drop column file_digest, drop column arrived_at;
