"""
What goes to the Truedy API and what comes back.

Requests are strict: an unknown field, a wrong type or a broken rule is refused before anything is sent.
Answers are lenient: unknown fields are kept, nearly everything may be missing, and several spellings of one
field are read.
"""

from __future__ import annotations

from airflow_truedy.api.models.answer import Answer
from airflow_truedy.api.models.base import Payload, checked
from airflow_truedy.api.models.batch_call_answers import (
    AddedContacts,
    BatchCall,
    BatchCallContact,
    DeletedBatchCalls,
    ScheduledBatchCall,
)
from airflow_truedy.api.models.batch_calls import (
    AddContactsRequest,
    BatchCallRequest,
    BatchCallUpdate,
    DeleteRequest,
    ScheduleRequest,
)
from airflow_truedy.api.models.people import (
    CallRequest,
    CallSettings,
    ContactInput,
    ContactRequest,
    ContactUpdate,
    FolderRequest,
)
from airflow_truedy.api.models.people_answers import (
    Agent,
    Call,
    Contact,
    Folder,
    ImportProblem,
    ImportResult,
    PhoneNumber,
    Transcript,
)

__all__ = [
    "AddContactsRequest",
    "AddedContacts",
    "Agent",
    "Answer",
    "BatchCall",
    "BatchCallContact",
    "BatchCallRequest",
    "BatchCallUpdate",
    "Call",
    "CallRequest",
    "CallSettings",
    "Contact",
    "ContactInput",
    "ContactRequest",
    "ContactUpdate",
    "DeleteRequest",
    "DeletedBatchCalls",
    "Folder",
    "FolderRequest",
    "ImportProblem",
    "ImportResult",
    "Payload",
    "PhoneNumber",
    "ScheduleRequest",
    "ScheduledBatchCall",
    "Transcript",
    "checked",
]
