# Websync goal "Shop visitors, everything", revision 7.
# Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
#
# 1. Put this file and websync-action.js into the folder of your Terraform configuration. If that requires the provider
#    auth0/auth0 already, delete the block "terraform" below.
# 2. Give the provider AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET in the environment: of an application for the
#    Management API with the scopes read:actions, create:actions, update:actions and delete:actions.
# 3. Give Terraform the value of each variable, such as TF_VAR_websync_secret in the environment. Terraform keeps the
#    value in its state, so keep the state where only your pipeline reads it.
# 4. terraform init, then terraform apply.
terraform {
  required_providers {
    auth0 = {
      source  = "auth0/auth0"
      version = "~> 1.55"
    }
  }
}

variable "websync_secret" {
  description = "The secret WEBSYNC_SECRET of the Action Websync Shop visitors everything (shop-goal)."
  type        = string
  sensitive   = true
}

resource "auth0_action" "websync" {
  name    = "Websync Shop visitors everything (shop-goal)"
  runtime = "node22"
  code    = file("${path.module}/websync-action.js")
  deploy  = true

  supported_triggers {
    id      = "post-login"
    version = "v3"
  }

  secrets {
    name  = "WEBSYNC_SECRET"
    value = var.websync_secret
  }
}

# This appends the one Action to what logins run. Where auth0_trigger_actions (plural) owns the list of post-login, delete
# this block and add the Action to that list: the two must never manage one trigger.
resource "auth0_trigger_action" "websync" {
  trigger   = "post-login"
  action_id = auth0_action.websync.id
}
