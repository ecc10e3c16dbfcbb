output "bootstrap_servers" {
  description = "For kafka.bootstrap_servers; SASL/SCRAM over TLS."
  value       = aws_msk_cluster.this.bootstrap_brokers_sasl_scram
}

output "cluster_arn" {
  description = "The cluster."
  value       = aws_msk_cluster.this.arn
}

output "security_group_id" {
  description = "The brokers' security group."
  value       = aws_security_group.this.id
}
