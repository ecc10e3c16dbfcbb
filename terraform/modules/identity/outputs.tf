output "role_arns" {
  description = "By service account; for the annotation eks.amazonaws.com/role-arn."
  value       = { for account, role in aws_iam_role.this : account => role.arn }
}
