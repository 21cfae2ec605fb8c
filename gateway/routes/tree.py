"""Agencies and their departments."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts import tree as contract
from services.contracts.base import Page, PageQuery
from services.contracts.errors import (
    AboveCeiling,
    AboveYourRights,
    DepartmentBelowItself,
    DepartmentFrozen,
    DepartmentMerged,
    HeadquartersStays,
    InvalidCursor,
    MergeTooLarge,
    NameTaken,
    NotFound,
    TreeTooDeep,
    VersionConflict,
)

router = make_router("identity")

TAGGED: Responses = {200: {"headers": ETAG}}
ADDED: Responses = {201: {"headers": LOCATION | ETAG}}
OF_VERSIONS = (VersionConflict, PreconditionRequired, MalformedPrecondition)


# --- agencies


@router.post("/agencies", status_code=201, summary="Add an agency", responses=writing(NameTaken) | ADDED)
async def add_agency(body: contract.AddAgency, caller: Writer, response: Response, tags: Tags) -> contract.AgencyView:
    agency = await caller.ask(contract.ADD_AGENCY, body)
    response.headers["Location"] = f"{PREFIX}/agencies/{agency.id}"
    return tags.tagged(agency)


@router.get("/agencies", summary="List agencies", responses=reading(InvalidCursor) | LINK)
async def list_agencies(query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[contract.AgencyView]:
    return pages.linked(await caller.ask(contract.LIST_AGENCIES, query))


@router.get("/agencies/{agency_id}", summary="Show an agency", responses=reading(NotFound) | TAGGED)
async def show_agency(agency_id: UUID, caller: Reader, tags: Tags) -> contract.AgencyView:
    return tags.tagged(await caller.ask(contract.SHOW_AGENCY, contract.ShowAgency(agency_id=agency_id)))


@router.patch(
    "/agencies/{agency_id}",
    summary="Rename an agency, and its departments with it",
    responses=writing(NotFound, NameTaken, *OF_VERSIONS) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_agency(
    agency_id: UUID, body: contract.AgencyChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.AgencyView:
    message = contract.UpdateAgency(agency_id=agency_id, expected_version=version, **body.model_dump(exclude_unset=True))
    return tags.tagged(await caller.ask(contract.UPDATE_AGENCY, message))


@router.post(
    "/agencies/{agency_id}/freeze",
    summary="Let none of an agency's people in, and end their sessions",
    responses=writing(NotFound, HeadquartersStays) | TAGGED,
)
async def freeze_agency(agency_id: UUID, caller: Writer, tags: Tags) -> contract.AgencyView:
    return tags.tagged(await caller.ask(contract.FREEZE_AGENCY, contract.FreezeAgency(agency_id=agency_id)))


@router.post("/agencies/{agency_id}/thaw", summary="Let its people in again", responses=writing(NotFound) | TAGGED)
async def thaw_agency(agency_id: UUID, caller: Writer, tags: Tags) -> contract.AgencyView:
    return tags.tagged(await caller.ask(contract.THAW_AGENCY, contract.ThawAgency(agency_id=agency_id)))


# --- departments


@router.post(
    "/departments",
    status_code=201,
    summary="Add a department",
    responses=writing(NotFound, NameTaken, DepartmentFrozen, DepartmentMerged, TreeTooDeep) | ADDED,
)
async def add_department(body: contract.AddDepartment, caller: Writer, response: Response, tags: Tags) -> contract.DepartmentView:
    department = await caller.ask(contract.ADD_DEPARTMENT, body)
    response.headers["Location"] = f"{PREFIX}/departments/{department.id}"
    return tags.tagged(department)


@router.get("/departments", summary="List departments", responses=reading(InvalidCursor) | LINK)
async def list_departments(
    query: Annotated[contract.ListDepartments, Query()], caller: Reader, pages: Pages
) -> Page[contract.DepartmentView]:
    return pages.linked(await caller.ask(contract.LIST_DEPARTMENTS, query))


@router.get("/departments/{department_id}", summary="Show a department", responses=reading(NotFound) | TAGGED)
async def show_department(department_id: UUID, caller: Reader, tags: Tags) -> contract.DepartmentView:
    return tags.tagged(await caller.ask(contract.SHOW_DEPARTMENT, contract.ShowDepartment(department_id=department_id)))


@router.patch(
    "/departments/{department_id}",
    summary="Change a department's name or kind",
    responses=writing(NotFound, NameTaken, DepartmentMerged, *OF_VERSIONS) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_department(
    department_id: UUID, body: contract.DepartmentChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.DepartmentView:
    changes = body.model_dump(exclude_unset=True)
    message = contract.UpdateDepartment(department_id=department_id, expected_version=version, **changes)
    return tags.tagged(await caller.ask(contract.UPDATE_DEPARTMENT, message))


@router.post(
    "/departments/{department_id}/move",
    summary="Put a department below another one, with all that is below it",
    responses=writing(
        NotFound, AboveCeiling, AboveYourRights, DepartmentBelowItself, DepartmentFrozen, DepartmentMerged, TreeTooDeep
    )
    | TAGGED,
)
async def move_department(department_id: UUID, body: contract.NewParent, caller: Writer, tags: Tags) -> contract.DepartmentView:
    message = contract.MoveDepartment(department_id=department_id, parent_id=body.parent_id)
    return tags.tagged(await caller.ask(contract.MOVE_DEPARTMENT, message))


@router.post(
    "/departments/{department_id}/merge",
    summary="Give a department's people and all else to another one, for good",
    responses=writing(
        NotFound,
        AboveCeiling,
        AboveYourRights,
        DepartmentBelowItself,
        DepartmentFrozen,
        DepartmentMerged,
        MergeTooLarge,
        TreeTooDeep,
    ),
)
async def merge_department(department_id: UUID, body: contract.MergeTarget, caller: Writer) -> contract.MergedDepartment:
    message = contract.MergeDepartment(department_id=department_id, into_id=body.into_id)
    return await caller.ask(contract.MERGE_DEPARTMENT, message)


@router.post(
    "/departments/{department_id}/freeze",
    summary="Let nobody and no department come into a department",
    responses=writing(NotFound, DepartmentMerged) | TAGGED,
)
async def freeze_department(department_id: UUID, caller: Writer, tags: Tags) -> contract.DepartmentView:
    message = contract.FreezeDepartment(department_id=department_id)
    return tags.tagged(await caller.ask(contract.FREEZE_DEPARTMENT, message))


@router.post(
    "/departments/{department_id}/thaw",
    summary="Let people and departments come into it again",
    responses=writing(NotFound, DepartmentMerged) | TAGGED,
)
async def thaw_department(department_id: UUID, caller: Writer, tags: Tags) -> contract.DepartmentView:
    return tags.tagged(await caller.ask(contract.THAW_DEPARTMENT, contract.ThawDepartment(department_id=department_id)))
