output "host" {
  description = "The primary: ingestor, projector, migration, trailctl."
  value       = aws_db_instance.primary.address
}

output "replica_hosts" {
  description = "Read replicas."
  value       = aws_db_instance.replica[*].address
}

output "port" {
  description = "The port."
  value       = aws_db_instance.primary.port
}

output "superuser_secret_arn" {
  description = "Where AWS keeps the superuser's password; for trailctl migrate --bootstrap."
  value       = try(aws_db_instance.primary.master_user_secret[0].secret_arn, null)
}

output "security_group_id" {
  description = "The database's security group."
  value       = aws_security_group.this.id
}
