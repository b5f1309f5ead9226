"""IAM policies as AWS evaluates them."""
