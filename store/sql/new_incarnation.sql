-- new_incarnation: $1 cluster, $2 topic, $3 partition
select log_id, incarnation from audit.new_incarnation($1, $2, $3)
