"""What the author of a custom poller imports; docs/custom-pollers.md is the guide. These names stay."""

from streampoll.config.secret import Secret as Secret
from streampoll.custom.credential import CustomCredential as CustomCredential
from streampoll.custom.port import Clients as Clients
from streampoll.custom.port import Credentials as Credentials
from streampoll.custom.port import CustomTarget as CustomTarget
from streampoll.custom.port import PollFailed as PollFailed
from streampoll.model import Outcome as Outcome
from streampoll.model import Status as Status
from streampoll.model import Table as Table
