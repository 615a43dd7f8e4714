"""Services that hold the keys with which a repository's own key is wrapped: AWS KMS, HashiCorp Vault."""
