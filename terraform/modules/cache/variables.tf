variable "name" {
  description = "Prefix of every name."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Give 3 to 32 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "Give the id of a VPC, vpc-…"
  }
}

variable "subnet_ids" {
  description = "Private subnets, each in another zone."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 2 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least two subnet ids, subnet-…"
  }
}

variable "client_security_group_ids" {
  description = "Security groups of those who may connect: the nodes or pods of the cluster."
  type        = list(string)
  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "Give at least one: nobody else can connect."
  }
}

variable "kms_key_arn" {
  description = "The key for data at rest (module keys)."
  type        = string
  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
  }
}

variable "node_type" {
  description = "Size of each node."
  type        = string
  default     = "cache.t4g.small"
  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "Give a node type of ElastiCache, cache.…"
  }
}

variable "nodes" {
  description = "A primary and its replicas."
  type        = number
  default     = 2
  validation {
    condition     = var.nodes >= 2 && var.nodes <= 6
    error_message = "Give 2 to 6: one alone does not fail over."
  }
}

variable "auth_token" {
  description = "The password, 16 to 128 characters without @, quotes and slashes."
  type        = string
  sensitive   = true
  validation {
    condition     = can(regex("^[^@\"/]{16,128}$", var.auth_token))
    error_message = "Give 16 to 128 characters without @, quotes and slashes."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

