output "application_secret_arn" {
  description = "The secret that becomes secrets.existingSecret of the chart."
  value       = aws_secretsmanager_secret.application.arn
}

output "kafka_user_secret_arns" {
  description = "For user_secret_arns of module kafka."
  value       = [for secret in aws_secretsmanager_secret.kafka : secret.arn]
}
