# The chart in a cluster that exists. Its inputs are the outputs of environments/aws, or of whatever you have instead.
module "audit_trail" {
  source            = "../../modules/chart"
  chart             = "${path.module}/../../../helm/audit-trail"
  image_repository  = var.image_repository
  image_digest      = var.image_digest
  bootstrap_servers = var.bootstrap_servers
  registry_url      = var.registry_url
  issuer            = var.issuer
  jwks_url          = var.jwks_url
  values            = [for file in var.value_files : file(file)]
}
