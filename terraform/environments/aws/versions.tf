terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
  # State names every resource: keep it encrypted, locked and private.
  # backend "s3" {}
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { product = "audit-trail", environment = var.name }
  }
}
