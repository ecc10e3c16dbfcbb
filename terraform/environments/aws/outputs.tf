output "bootstrap_servers" {
  description = "For environments/kubernetes."
  value       = module.kafka.bootstrap_servers
}

output "database" {
  description = "Where the database is; the URLs in the application's secret are made of it."
  value = {
    host                 = module.database.host
    replica_hosts        = module.database.replica_hosts
    port                 = module.database.port
    superuser_secret_arn = module.database.superuser_secret_arn
  }
}

output "application_secret_arn" {
  description = "What to fill, and what External Secrets copies."
  value       = module.secrets.application_secret_arn
}

output "image_repository" {
  description = "For environments/kubernetes."
  value       = module.registry.image_repository
}

output "archive_bucket" {
  description = "The write-once bucket."
  value       = module.archive.bucket
}

output "role_arns" {
  description = "By service account."
  value       = module.identity.role_arns
}

output "rabbitmq_endpoint" {
  description = "Null without RabbitMQ."
  value       = one(module.broker[*].endpoint)
}
