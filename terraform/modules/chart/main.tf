# The chart, in a namespace that admits restricted pods only.
resource "kubernetes_namespace_v1" "this" {
  metadata {
    name = var.namespace
    labels = {
      "pod-security.kubernetes.io/enforce" = "restricted"
      "pod-security.kubernetes.io/warn"    = "restricted"
    }
  }
}

resource "helm_release" "this" {
  name      = var.release
  namespace = kubernetes_namespace_v1.this.metadata[0].name
  chart     = var.chart
  version   = var.chart_version
  # The migration is a hook: what fails leaves the old release running.
  atomic          = true
  cleanup_on_fail = true
  timeout         = 1200

  values = concat([yamlencode({
    image   = { repository = var.image_repository, digest = var.image_digest }
    secrets = { existingSecret = var.existing_secret, kafka = { enabled = var.kafka_sasl } }
    config = {
      kafka = {
        bootstrap_servers = var.bootstrap_servers
        cluster           = var.kafka_cluster_name
        properties = var.kafka_sasl ? {
          "security.protocol" = "SASL_SSL"
          "sasl.mechanism"    = "SCRAM-SHA-512"
        } : {}
      }
      registry = { url = var.registry_url }
      auth     = merge({ issuer = var.issuer, audience = var.audience }, var.jwks_url == null ? {} : { algorithm = var.token_algorithm, jwks_url = var.jwks_url })
    }
  })], var.values)
}
