mock_provider "aws" {}

variables {
  name        = "audit-trail"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
}

run "a_tag_is_set_once_and_images_are_scanned" {
  command = plan
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "What was verified stays what it was."
  }
  assert {
    condition     = aws_ecr_repository.this["image"].name == "audit-trail"
    error_message = "contract.md: the image's name is audit-trail."
  }
}

run "keeping_nothing_is_refused" {
  command = plan
  variables {
    kept_images = 0
  }
  expect_failures = [var.kept_images]
}
