from .child import Child as Child
from .isolation import Sandbox as Sandbox
from .patterns import PatternTimeout as PatternTimeout
from .patterns import Searcher as Searcher
from .processes import end as end
from .serving import serve as serve
from .wire import Failure as Failure
from .wire import Refused as Refused
