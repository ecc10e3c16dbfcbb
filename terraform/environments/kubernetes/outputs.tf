output "app_version" {
  description = "What was installed."
  value       = module.audit_trail.app_version
}
