"""A partner's provisioning script as a process."""
