variable "name" {
  description = "Prefix of every name; one per environment."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Give 3 to 32 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "region" {
  description = "The region."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region such as eu-central-1."
  }
}

variable "vpc_id" {
  description = "The VPC of the cluster."
  type        = string
}

variable "private_subnet_ids" {
  description = "Three private subnets, each in another zone."
  type        = list(string)
  validation {
    condition     = length(var.private_subnet_ids) == 3
    error_message = "Give three."
  }
}

variable "node_security_group_ids" {
  description = "Security groups of the cluster's nodes or pods."
  type        = list(string)
}

variable "oidc_provider_arn" {
  description = "The cluster's OIDC provider in IAM."
  type        = string
}

variable "namespace" {
  description = "Where the chart is installed."
  type        = string
  default     = "audit"
}

variable "access_log_bucket" {
  description = "A bucket that exists, for the log of accesses."
  type        = string
}

variable "sizes" {
  description = "Sizes; docs/operating.md, Sizing."
  type = object({
    kafka    = optional(string, "kafka.m7g.large")
    database = optional(string, "db.m7g.xlarge")
  })
  default = {}
}

variable "database_replicas" {
  description = "Read replicas."
  type        = number
  default     = 1
}

variable "kafka_users_ready" {
  description = "True once the secrets of Kafka's users have values."
  type        = bool
  default     = false
}

variable "rabbitmq_password" {
  description = "The bridge's password; null: no RabbitMQ."
  type        = string
  default     = null
  sensitive   = true
}

variable "cache_auth_token" {
  description = "The cache's password; null: no cache."
  type        = string
  default     = null
  sensitive   = true
}
