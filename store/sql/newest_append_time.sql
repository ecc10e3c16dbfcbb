-- newest_append_time: when the newest append was recorded
select a.recorded_at from audit.appends a order by a.append_no desc limit 1
