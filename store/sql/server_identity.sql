-- server_identity: one text for each run of each server
select concat_ws(' ', inet_server_addr(), inet_server_port(), pg_postmaster_start_time())
