-- record_redrive: one step of it. $1 redrive, $2 log, $3 offset, $4 step, $5 by whom, $6 topic, $7 partition, $8 offset there
insert into audit.redrives (redrive_id, log_id, "offset", step, requested_by, to_topic, to_partition, to_offset)
values ($1, $2, $3, $4, $5, $6, $7, $8)
