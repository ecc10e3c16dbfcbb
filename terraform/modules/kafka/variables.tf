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

variable "kafka_version" {
  description = "Kafka's version, as MSK names it."
  type        = string
  default     = "3.8.x.kraft"
}

variable "broker_instance_type" {
  description = "The brokers' size."
  type        = string
  default     = "kafka.m7g.large"
  validation {
    condition     = startswith(var.broker_instance_type, "kafka.")
    error_message = "Give an instance type of MSK, kafka.…"
  }
}

variable "brokers_per_zone" {
  description = "Brokers in each zone."
  type        = number
  default     = 1
  validation {
    condition     = var.brokers_per_zone >= 1 && var.brokers_per_zone <= 10
    error_message = "Give 1 to 10."
  }
}

variable "volume_gib" {
  description = "Each broker's disk."
  type        = number
  default     = 500
  validation {
    condition     = var.volume_gib >= 10 && var.volume_gib <= 16384
    error_message = "Give 10 to 16384 GiB."
  }
}

variable "user_secret_arns" {
  description = "Secrets (module secrets) with the SCRAM users. Their names start with AmazonMSK_."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long the brokers' logs are kept."
  type        = number
  default     = 365
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
