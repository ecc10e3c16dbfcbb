output "endpoint" {
  description = "rediss://host:6379"
  value       = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379"
}
