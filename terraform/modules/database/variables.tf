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

variable "engine_version" {
  description = "PostgreSQL; 15 or newer."
  type        = string
  default     = "17.4"
  validation {
    condition     = try(tonumber(split(".", var.engine_version)[0]), 0) >= 15
    error_message = "Give 15 or newer."
  }
}

variable "instance_class" {
  description = "Size of the primary; docs/scaling.md says what a core carries."
  type        = string
  default     = "db.m7g.xlarge"
  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "Give an instance class of RDS, db.…"
  }
}

variable "replica_instance_class" {
  description = "Size of each read replica."
  type        = string
  default     = "db.m7g.large"
}

variable "replicas" {
  description = "Read replicas."
  type        = number
  default     = 1
  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5
    error_message = "Give 0 to 5."
  }
}

variable "storage_gib" {
  description = "The disk at the start; docs/operating.md, Sizing."
  type        = number
  default     = 500
  validation {
    condition     = var.storage_gib >= 100
    error_message = "Give at least 100 GiB."
  }
}

variable "max_storage_gib" {
  description = "The disk grows by itself up to this."
  type        = number
  default     = 16384
}

variable "backup_retention_days" {
  description = "How far back a point in time can be restored."
  type        = number
  default     = 35
  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "Give 7 to 35 days."
  }
}

variable "log_retention_days" {
  description = "How long the server's logs are kept."
  type        = number
  default     = 365
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
