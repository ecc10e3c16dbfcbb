-- append_head: the number of the newest append
select last from audit.append_head
