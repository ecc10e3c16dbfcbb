-- position_of_append: the last offset of an append, as a position
select log_id, next_offset - 1 from audit.appends where append_no = $1
