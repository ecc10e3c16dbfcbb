# One environment on AWS: everything managed that the chart needs, for a cluster (EKS) and a VPC that exist.
module "keys" {
  source = "../../modules/keys"
  name   = var.name
  region = var.region
}

module "secrets" {
  source      = "../../modules/secrets"
  name        = var.name
  kms_key_arn = module.keys.key_arn
  kafka_users = ["audit-trail"]
}

module "registry" {
  source      = "../../modules/registry"
  name        = "audit-trail"
  kms_key_arn = module.keys.key_arn
}

module "kafka" {
  source                    = "../../modules/kafka"
  name                      = var.name
  vpc_id                    = var.vpc_id
  subnet_ids                = var.private_subnet_ids
  client_security_group_ids = var.node_security_group_ids
  kms_key_arn               = module.keys.key_arn
  broker_instance_type      = var.sizes.kafka
  # A user exists once its secret has a value; the association comes with the second apply (README).
  user_secret_arns = var.kafka_users_ready ? module.secrets.kafka_user_secret_arns : []
}

module "database" {
  source                    = "../../modules/database"
  name                      = var.name
  vpc_id                    = var.vpc_id
  subnet_ids                = var.private_subnet_ids
  client_security_group_ids = var.node_security_group_ids
  kms_key_arn               = module.keys.key_arn
  instance_class            = var.sizes.database
  replicas                  = var.database_replicas
}

module "archive" {
  source            = "../../modules/archive"
  name              = var.name
  kms_key_arn       = module.keys.key_arn
  access_log_bucket = var.access_log_bucket
}

# Only where older services publish to RabbitMQ.
module "broker" {
  count                     = var.rabbitmq_password == null ? 0 : 1
  source                    = "../../modules/broker"
  name                      = var.name
  vpc_id                    = var.vpc_id
  subnet_ids                = var.private_subnet_ids
  client_security_group_ids = var.node_security_group_ids
  kms_key_arn               = module.keys.key_arn
  password                  = var.rabbitmq_password
}

# Nothing of the product uses a cache today (docs/requirements.md, C08).
module "cache" {
  count                     = var.cache_auth_token == null ? 0 : 1
  source                    = "../../modules/cache"
  name                      = var.name
  vpc_id                    = var.vpc_id
  subnet_ids                = var.private_subnet_ids
  client_security_group_ids = var.node_security_group_ids
  kms_key_arn               = module.keys.key_arn
  auth_token                = var.cache_auth_token
}

module "identity" {
  source            = "../../modules/identity"
  name              = var.name
  kms_key_arn       = module.keys.key_arn
  oidc_provider_arn = var.oidc_provider_arn
  namespace         = var.namespace
  service_accounts = {
    # External Secrets copies the application's secret into the cluster; the programs themselves call nothing of AWS.
    external-secrets = { read_secret_arns = [module.secrets.application_secret_arn] }
    # Whoever writes backups and exports.
    backup = { write_bucket_arns = [module.archive.bucket_arn] }
  }
}
