"""SSH: commands run on devices, over connections that are kept from poll to poll."""
