output "image_repository" {
  description = "For image.repository of the chart."
  value       = aws_ecr_repository.this["image"].repository_url
}

output "chart_repository" {
  description = "Where the chart goes, without oci://."
  value       = aws_ecr_repository.this["chart"].repository_url
}
