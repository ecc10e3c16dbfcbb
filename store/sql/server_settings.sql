-- server_settings: what the server promises about what it has acknowledged, and whether it could be restored to a moment
select current_setting('server_version_num')::int, current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
       current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
       current_setting('data_checksums') = 'on', current_setting('archive_mode') <> 'off', a.last_archived_time, a.last_failed_time,
       pg_database_size(current_database())
from pg_stat_archiver a
