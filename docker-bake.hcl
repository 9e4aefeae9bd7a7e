# The image for both architectures, as the release workflow builds it. Without -f, bake reads the compose files too.
#
#   docker buildx bake -f docker-bake.hcl --print
#   docker buildx bake -f docker-bake.hcl --set '*.platform=linux/amd64' --load

variable "VERSION" {
  default = "dev"
}

# By digest in a release; empty for the tags in the Dockerfile.
variable "BUILD_IMAGE" {
  default = ""
}

variable "RUN_IMAGE" {
  default = ""
}

variable "TAG" {
  default = "sidemint"
}

target "default" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["${TAG}"]
  args = {
    VERSION     = VERSION
    BUILD_IMAGE = BUILD_IMAGE != "" ? BUILD_IMAGE : null
    RUN_IMAGE   = RUN_IMAGE != "" ? RUN_IMAGE : null
  }
}
