# terraform plan -var-file=example.tfvars, with your own.
name                    = "audit-prod"
region                  = "eu-central-1"
vpc_id                  = "vpc-0123456789abcdef0"
private_subnet_ids      = ["subnet-0a", "subnet-0b", "subnet-0c"]
node_security_group_ids = ["sg-0123456789abcdef0"]
oidc_provider_arn       = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
access_log_bucket       = "example-access-logs"
