-- all_logs: every log by number
select log_id, cluster, topic, "partition", incarnation from audit.logs order by log_id
