-- accept_gap: $1 cluster, $2 topic, $3 partition, $4 the first offset that is not accepted
select audit.accept_gap($1, $2, $3, $4)
