output "namespace" {
  description = "Where it is installed."
  value       = kubernetes_namespace_v1.this.metadata[0].name
}

output "app_version" {
  description = "What was installed."
  value       = helm_release.this.metadata.app_version
}
