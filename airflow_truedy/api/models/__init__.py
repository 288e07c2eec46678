"""
What goes to the Truedy API and what comes back.

Requests are strict: an unknown field, a wrong type or a broken rule is refused before anything is sent.
Answers are lenient: unknown fields are kept, nearly everything may be missing, and several spellings of one
field are read.
"""

from __future__ import annotations

from airflow_truedy.api.models.base import Answer, Envelope, Payload
from airflow_truedy.api.models.batch_calls import (
    AddContactsRequest,
    AddedContacts,
    BatchCall,
    BatchCallContact,
    BatchCallRequest,
    BatchCallUpdate,
    DeletedBatchCalls,
    DeleteRequest,
    ScheduledBatchCall,
    ScheduleRequest,
)
from airflow_truedy.api.models.calls import Agent, Call, CallRequest, CallSettings, PhoneNumber, Transcript
from airflow_truedy.api.models.contacts import (
    Contact,
    ContactInput,
    ContactRequest,
    ContactUpdate,
    Folder,
    FolderRequest,
    ImportProblem,
    ImportResult,
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
    "Envelope",
    "Folder",
    "FolderRequest",
    "ImportProblem",
    "ImportResult",
    "Payload",
    "PhoneNumber",
    "ScheduleRequest",
    "ScheduledBatchCall",
    "Transcript",
]
