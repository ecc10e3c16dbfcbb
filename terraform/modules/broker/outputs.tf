output "endpoint" {
  description = "amqps://host:5671"
  value       = try(aws_mq_broker.this.instances[0].endpoints[0], null)
}

output "security_group_id" {
  description = "The broker's security group."
  value       = aws_security_group.this.id
}
